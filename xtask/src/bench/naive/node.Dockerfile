FROM {{base}}
WORKDIR /app
COPY . .
RUN npm install
RUN {{build}}
EXPOSE {{port}}
CMD {{start}}
