FROM {{base}}
WORKDIR /app
COPY . .
RUN pip install -r requirements.txt
EXPOSE {{port}}
CMD {{start}}
